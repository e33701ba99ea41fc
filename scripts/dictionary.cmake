# What is copied of nsbench's own tables: the dictionary in results/README.md, as `nsbench dictionary` prints it, and that which
# scripts read without a built nsbench, as `nsbench dictionary --format=json` does. With MAKE they are made again, else compared.
execute_process(COMMAND ${NSBENCH} dictionary OUTPUT_VARIABLE tables COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${NSBENCH} dictionary --format=json OUTPUT_VARIABLE names COMMAND_ERROR_IS_FATAL ANY)

function(hold file wanted)
    file(READ ${file} text)
    if(text STREQUAL wanted)
        return()
    endif()
    if(NOT MAKE)
        message(FATAL_ERROR "${file} is not what nsbench says: ninja -C build/release dictionary makes it again")
    endif()
    file(WRITE ${file} "${wanted}")
endfunction()

file(READ ${ROOT}/results/README.md text)
string(FIND "${text}" "### results.csv:" at) # the tables are the end of the page
if(at EQUAL -1)
    message(FATAL_ERROR "${ROOT}/results/README.md has no table of results.csv")
endif()
string(SUBSTRING "${text}" 0 ${at} before)
hold(${ROOT}/results/README.md "${before}${tables}")
hold(${ROOT}/scripts/analysis/dictionary.json "${names}")
