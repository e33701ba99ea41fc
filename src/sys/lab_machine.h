// The machine of a lab guest, seen from inside: devices that scripts/lab/guest.py gives it, reached by port
// I/O. No driver stands between, so that nothing depends on when the host answers.
#pragma once

#include <string>
#include <string_view>

#include "sys/error.h"

namespace nsb::sys {

class LabMachine {
  public:
    /// Fails with ENOENT or ENODEV where this is no guest of the lab, and with what iopl(2) says: EPERM
    /// without CAP_SYS_RAWIO.
    static Result<LabMachine> open();

    /// Says so on the debug console, and sleeps; two seconds later the watchdog stops the machine, which is
    /// idle then. Returns a second after that, in each copy that is started from there. (A stop that the CPU
    /// asks for itself is not exact: QEMU may skip to the next timer before it notices.)
    void stop() const;

    /// What this copy is asked for: the content of fw_cfg's file opt/nsbench/order; empty where there is
    /// none.
    [[nodiscard]] std::string order() const;

    /// Writes a file to the debug console: a line "NAME SIZE", and its content.
    void send(std::string_view name, std::string_view content) const;

    /// Ends the machine at once, without a shutdown.
    [[noreturn]] void end() const;

  private:
    LabMachine() = default;
};

}  // namespace nsb::sys
