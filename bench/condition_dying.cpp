// dying: so many net namespaces that nobody is in any more: the kernel tears them down as the block begins.
#include "conditions.h"

namespace nsb::bench {

Failure set_up_dying(Setting& here) {
    return keep_net_namespaces(here);
}

}  // namespace nsb::bench
