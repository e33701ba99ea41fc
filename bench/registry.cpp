#include "block.h"

namespace nsb::bench {

#define NSB_OPERATION(name, ...) void run_##name(Block& block);
#include "core/operations.def"
#undef NSB_OPERATION

BlockFunction find(Operation operation) {
    switch (operation) {
#define NSB_OPERATION(name, ...) \
    case Operation::name:        \
        return run_##name;
#include "core/operations.def"
#undef NSB_OPERATION
    }
    return nullptr;
}

}  // namespace nsb::bench
