// What a chroot does to namespaces, in words: in one whose root is a folder nothing is mounted on /, and
// nobody makes a user namespace (create_user_ns() in kernel/user_namespace.c).
#pragma once

#include <string_view>

namespace nsb {

/// What stands behind an EINVAL of mount(MS_PRIVATE) on /.
inline constexpr std::string_view kNoMountPoint =
    "/ is no mount here, as in a chroot: enter it by pivot_root, as bwrap --bind DIR / does";

/// What may stand behind an EPERM of a user namespace, too.
inline constexpr std::string_view kOrChroot = ", or / is a chroot's";

}  // namespace nsb
