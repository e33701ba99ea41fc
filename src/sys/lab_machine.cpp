#include "sys/lab_machine.h"

#include <fmt/format.h>
#include <sys/io.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <thread>

namespace nsb::sys {
namespace {

// QEMU: hw/watchdog/wdt_ib700.c, docs/specs/fw_cfg.txt, hw/char/debugcon.c, hw/misc/debugexit.c
constexpr unsigned short kWatchdog = 0x443;
constexpr unsigned char kTwoSeconds = 14;
constexpr unsigned short kConfigSelector = 0x510;
constexpr unsigned short kConfigData = 0x511;
constexpr unsigned short kConfigDirectory = 0x19;
constexpr std::uint32_t kMostFiles = 1000;
constexpr unsigned short kDebugConsole = 0xE9;
constexpr unsigned short kExit = 0xF4;
constexpr std::string_view kOrder = "opt/nsbench/order";
/// What the lab puts into each guest's initramfs.
constexpr const char* kSettings = "/lab/settings";

/// Port I/O is allowed while it lives, and to nobody else: children that are made meanwhile would inherit it,
/// and a clone pay for it.
class Ports {
  public:
    Ports() { allowed_ = iopl(3) == 0; }
    ~Ports() {
        if (allowed_) (void)iopl(0);
    }
    Ports(const Ports&) = delete;
    Ports& operator=(const Ports&) = delete;
    Ports(Ports&&) = delete;
    Ports& operator=(Ports&&) = delete;

    [[nodiscard]] bool allowed() const { return allowed_; }

  private:
    bool allowed_;
};

// The C library's outsb and insb do not tell the compiler that they touch memory.
void write_console(std::string_view text) {
    asm volatile("" : : : "memory");
    outsb(kDebugConsole, text.data(), text.size());
}

void read_config(char* into, std::size_t size) {
    insb(kConfigData, into, size);
    asm volatile("" : : : "memory");
}

std::uint32_t read_number(int bytes) {
    std::uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8U | inb(kConfigData);
    return value;
}

}  // namespace

Result<LabMachine> LabMachine::open() {
    // Nothing is written to a port of a machine that is not the lab's: who knows what listens there.
    if (access(kSettings, F_OK) != 0) return tl::unexpected(errno);
    {
        const Ports ports;
        if (!ports.allowed()) return tl::unexpected(errno);
    }
    const LabMachine machine;
    if (machine.order().empty()) return tl::unexpected(ENODEV);
    return machine;
}

// NOLINTBEGIN(readability-convert-member-functions-to-static): who has the object is in such a machine
void LabMachine::stop() const {
    {
        const Ports ports;
        write_console("ready\n");
        outb(kTwoSeconds, kWatchdog);
    }
    std::this_thread::sleep_for(std::chrono::seconds(3));
}

std::string LabMachine::order() const {
    const Ports ports;
    outw(kConfigDirectory, kConfigSelector);
    const std::uint32_t files = read_number(4);
    if (files > kMostFiles) return "";  // ports that nothing is behind read as ones
    std::uint32_t size = 0;
    std::uint32_t key = 0;
    for (std::uint32_t i = 0; i < files; ++i) {
        const std::uint32_t own_size = read_number(4);
        const std::uint32_t own_key = read_number(4) >> 16U;  // the lower half is reserved
        std::array<char, 56> name{};
        read_config(name.data(), name.size());
        if (std::string_view(name.data()) != kOrder) continue;
        size = own_size;
        key = own_key;
    }
    if (size == 0) return "";
    std::string text(size, '\0');
    outw(static_cast<unsigned short>(key), kConfigSelector);
    read_config(text.data(), text.size());
    return text;
}

void LabMachine::send(std::string_view name, std::string_view content) const {
    const Ports ports;
    write_console(fmt::format("{} {}\n", name, content.size()));
    write_console(content);
}

void LabMachine::end() const {
    const Ports ports;
    outb(0, kExit);
    for (;;) pause();
}
// NOLINTEND(readability-convert-member-functions-to-static)

}  // namespace nsb::sys
