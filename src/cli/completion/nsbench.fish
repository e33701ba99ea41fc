# Completion of nsbench for fish: nsbench itself says what may follow.
function __nsbench_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    # What stands before the = of an option is said again before each file.
    set -l before (string match -r '^--[^=]*=' -- $current)
    set -l begun (string replace -r '^--[^=]*=' '' -- $current)
    for line in (eval $program complete -- (string escape -- $words $current) 2>/dev/null)
        switch $line
            case :file
                printf "$before%s\n" (__fish_complete_path $begun)
            case :folder
                printf "$before%s\n" (__fish_complete_directories $begun)
            case :command
                __fish_complete_command
            case '*'
                printf '%s\n' $line
        end
    end
end
complete -c nsbench -f -a '(__nsbench_complete)'
