# What `cmake --install` puts where. nsbench finds its sampler and the scripts by the way from its own folder, and the scripts find
# the programs that they run by the way from theirs (scripts/analysis/programs.py): the three belong together, wherever the prefix is.
set(PROGRAMS libexec/nsbench)
set(SCRIPTS lib/nsbench)
set(DOCUMENTS ${CMAKE_INSTALL_DOCDIR})

install(TARGETS nsbench RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS nsbench-sampler nsbench-yardstick nsbench-stops nsbench-size RUNTIME DESTINATION ${PROGRAMS})
install(TARGETS nsbench-lockstep nsbench-exact LIBRARY DESTINATION ${PROGRAMS})

# Programs and what they read; no tests and what only these need, no linters, and not what builds or packages a source tree.
install(DIRECTORY scripts DESTINATION ${SCRIPTS} USE_SOURCE_PERMISSIONS FILES_MATCHING
        PATTERN "*.py" PATTERN "*.json" PATTERN "*.js" PATTERN "*.css" PATTERN "*.html"
        PATTERN "lkp/run" PATTERN "lkp/parse" PATTERN "lkp/meta.yaml" PATTERN "lab/init" PATTERN "lab/nops.patch" PATTERN "lab/small-kernel.config"
        PATTERN "__pycache__" EXCLUDE PATTERN "linters" EXCLUDE PATTERN "fuzzing" EXCLUDE PATTERN "package" EXCLUDE PATTERN ".*" EXCLUDE
        PATTERN "test_*.py" EXCLUDE PATTERN "conftest.py" EXCLUDE PATTERN "*_harness.py" EXCLUDE PATTERN "fixtures*.py" EXCLUDE
        PATTERN "all_skipped.py" EXCLUDE PATTERN "thorough.py" EXCLUDE PATTERN "manual.py" EXCLUDE PATTERN "damage.py" EXCLUDE)

# What the page is drawn with, and its licences, where scripts/vendor has fetched them (scripts/analysis/libraries.py, VENDORED).
foreach(file .lock
        echarts/package.json echarts/LICENSE echarts/NOTICE echarts/dist/echarts.min.js
        d3/package.json d3/LICENSE d3/dist/d3.min.js
        d3-flame-graph/package.json d3-flame-graph/LICENSE d3-flame-graph/dist/d3-flamegraph.umd.min.js
        tabulator-tables/package.json tabulator-tables/LICENSE tabulator-tables/dist/js/tabulator.min.js
        tabulator-tables/dist/css/tabulator.min.css)
    if(NOT file STREQUAL .lock)
        string(PREPEND file node_modules/)
    endif()
    get_filename_component(folder ${file} DIRECTORY)
    install(FILES build/page/${file} DESTINATION ${SCRIPTS}/page/${folder} OPTIONAL)
endforeach()

# The manual, which the target `man` makes and `all` does not.
install(CODE "execute_process(COMMAND ${CMAKE_COMMAND} -E env NSBENCH_PROGRAM=$<TARGET_FILE:nsbench> /usr/bin/python3 -B
              ${CMAKE_SOURCE_DIR}/scripts/manual.py ${CMAKE_BINARY_DIR}/man COMMAND_ERROR_IS_FATAL ANY)")
install(DIRECTORY ${CMAKE_BINARY_DIR}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
set(COMPLETIONS ${CMAKE_BINARY_DIR}/completions)
install(FILES ${COMPLETIONS}/nsbench DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
# Debian's zsh looks for those of packages elsewhere than for those of /usr/local.
set(ZSH site-functions)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(ZSH vendor-completions)
endif()
install(FILES ${COMPLETIONS}/_nsbench DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/${ZSH})
install(FILES ${COMPLETIONS}/nsbench.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# Documents keep their folders, by which they lead to one another.
foreach(folder . bench bpf src src/isolate scripts scripts/lab results results/curves results/history results/host)
    install(FILES ${folder}/README.md DESTINATION ${DOCUMENTS}/${folder})
endforeach()
install(FILES LICENSE DESTINATION ${DOCUMENTS})
install(FILES src/CHANGELOG.md DESTINATION ${DOCUMENTS}/src)
install(DIRECTORY results/functions results/plots DESTINATION ${DOCUMENTS}/results)
