"""Runs a function of a module inside a network namespace and prints its result as JSON.

usage: ip netns exec NAMESPACE python3 inside.py MODULE FUNCTION JSON-ARGUMENTS
"""

import importlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

if __name__ == "__main__":
    function = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
    print(json.dumps(function(**json.loads(sys.argv[3]))))
