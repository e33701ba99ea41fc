# The dictionary in results/README.md is what `nsbench dictionary` prints.
execute_process(COMMAND ${NSBENCH} dictionary OUTPUT_VARIABLE dictionary COMMAND_ERROR_IS_FATAL ANY)
file(READ ${README} readme)
string(FIND "${readme}" "${dictionary}" at)
if(at EQUAL -1)
    message(FATAL_ERROR "${README} does not hold what 'nsbench dictionary' prints: paste it in")
endif()
