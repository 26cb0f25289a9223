#!/usr/bin/env python3
"""Hook "boot": what a machine boots stands in a database with the tables of MDT.

ComputerIdentity says which row a machine is, by MAC address, UUID, serial number or asset tag, in
this order; Settings (Type 'C', for computers) names the task sequence for it, which is the name of
an entry here.  A machine without a row is left to the configuration.

The database is the SQLite file mdt.db beside this script.  For the MDT database itself, on SQL
Server, replace connect() (pyodbc does it) and allow the script network.
"""
import os
import sqlite3

import bootferry

DATABASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mdt.db")

# A column of ComputerIdentity, the request's key, and how MDT writes its value.
IDENTITIES = (
    ("MacAddress", "mac", str.upper),
    ("UUID", "uuid", str.upper),
    ("SerialNumber", "serial", str.strip),
    ("AssetTag", "asset", str.strip),
)


def connect():
    return sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)


def answer(request):
    client = request["request"]
    with connect() as database:
        for column, key, form in IDENTITIES:
            value = form(client.get(key, ""))
            if not value:
                continue
            row = database.execute(
                "SELECT s.TaskSequenceID, s.OSDComputerName FROM ComputerIdentity c"
                " JOIN Settings s ON s.ID = c.ID AND s.Type = 'C'"
                f" WHERE c.{column} = ?", (value,)).fetchone()
            if row is not None and row[0]:
                return {"action": "entry", "entry": row[0],
                        "reason": f"{row[1] or 'a machine'} in the database, by {column}"}
    return {"action": "none", "reason": "not in the database"}


def self_test():
    with connect() as database:
        database.execute("SELECT COUNT(*) FROM ComputerIdentity, Settings").fetchone()


if __name__ == "__main__":
    bootferry.serve(answer, self_test)
