"""All options of all commands, as their help has them."""

import functools
import json
import re

from nsbench_harness import measure


@functools.cache
def all_options():
    """The words of each command → its options. Of the scripts they are read from their help, which argparse makes."""
    found = {}
    for command in json.loads(measure("help", "--format=json").stdout)["commands"]:
        name = command["name"]
        if command["is_script"]:
            text = measure(name, "--help").stdout
            below = re.findall(r"^    ([a-z][a-z-]+)(?:  |$)", text, re.MULTILINE) if name == "lab" else []
            choices = re.search(r"^  \{([a-z,]+)\}$", text, re.MULTILINE)
            below += choices[1].split(",") if choices else []
            for words in [(name, ), *((name, one) for one in below)]:
                help_of = measure(*words, "--help").stdout
                found[words] = set(re.findall(r"^  (?:-\w(?: \S+)?, )?(--[a-z-]+)", help_of, re.MULTILINE))
        elif command["group"]:
            found[(name, )] = {option["name"] for group in command["groups"] for option in group["options"]}
    return found
