// The options of nsbench churn.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>
#include <vector>

#include "run/churn_plan.h"

namespace nsb::cli {

std::vector<boost::program_options::options_description> churn_options();

/// Throws UsageError.
run::ChurnPlan parse_churn(const boost::program_options::variables_map& values);

}  // namespace nsb::cli
