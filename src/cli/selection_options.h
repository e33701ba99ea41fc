// The options that select cases.
#pragma once

#include <boost/program_options/variables_map.hpp>
#include <string>
#include <vector>

#include "run/run_options.h"

namespace nsb::cli {

/// The words of a repeatable option, taken apart at commas.
std::vector<std::string> listed(const boost::program_options::variables_map& values, const char* name);

/// `selection`: what is selected already. Throws UsageError.
run::Selection parse_selection(const boost::program_options::variables_map& values, run::Selection selection);

}  // namespace nsb::cli
