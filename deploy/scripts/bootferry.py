"""What Python scripts for Bootferry share: the loop over requests, and asking a client back.

A script gives serve() a function that takes a request (docs/scripting.md) and returns an answer.
"""
import json
import sys


def serve(answer, self_test=None):
    """Answers requests until standard input ends.

    `self_test`, called before a worker gets requests, raises an exception if the script cannot
    work, for instance because its database is not there.
    """
    for line in sys.stdin:
        request = json.loads(line)
        if request["type"] == "self-test":
            reply = {"ok": True}
            try:
                if self_test is not None:
                    self_test()
            except Exception as error:  # whatever it is, it goes to handlerd's log
                reply = {"ok": False, "error": str(error)}
        else:
            reply = answer(request)
            reply["id"] = request["id"]
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


def params(request):
    """The form that the client posted, as a dictionary."""
    return request["request"].get("params", {})


def ask_back(request, fields, before=()):
    """An answer that makes iPXE run the lines `before` and ask again, with more parameters.

    `fields` maps a parameter's name to what iPXE is to expand, such as "${smbios/0.5.0}".  iPXE of
    2019 has no `param` command: it gets the same as a query.
    """
    base = request["config"]["base"]
    known = {"mac": "${netX/mac:hexhyp}", "uuid": "${uuid}", "platform": "${platform}",
             "manufacturer": "${manufacturer:uristring}", "product": "${product:uristring}",
             "serial": "${serial:uristring}", "asset": "${asset:uristring}"}
    if "boot" in request["request"]:
        known["boot"] = request["request"]["boot"]
    plain = {**known, **fields}
    query = {**known, **{name: value.replace("}", ":uristring}") for name, value in fields.items()}}
    lines = ["#!ipxe", *before, "params || goto query"]
    lines += [f"param {name} {value.replace(':uristring}', '}')} ||" for name, value in plain.items()]
    lines += [f"chain --replace --autofree {base}2PXE/boot##params || exit 1", ":query",
              f"chain --replace --autofree {base}2PXE/boot?"
              + "&".join(f"{name}={value}" for name, value in query.items()) + " || exit 1"]
    return {"action": "script", "script": "\n".join(lines) + "\n"}
