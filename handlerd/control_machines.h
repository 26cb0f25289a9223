/* The methods of the control socket that speak of machines; see control_machines.c. */
#ifndef HANDLERD_CONTROL_MACHINES_H
#define HANDLERD_CONTROL_MACHINES_H

#include "handlerd/handlerd.h"

/* How many machines of one name are looked at. */
#define CONTROL_MACHINES 64

rpc_method_fn rpc_machines_show, rpc_machines_duplicates, rpc_machines_merge, rpc_machines_split,
    rpc_machines_identify;

/*
 * The machine that the parameter `key` names ("#ID", MAC, UUID, serial number, asset tag).  Its id;
 * 0 with *error set if there is none, or several.
 */
uint64_t control_machine(
    const struct handlerd *h, const json_t *params, const char *key, struct rpc_error *error);

/* A parameter that is a string or missing, then ""; NULL with *error set for anything else. */
const char *control_text(const json_t *params, const char *key, struct rpc_error *error);
/* Who decides, by the parameter "by"; false with *error set. */
bool control_by(const json_t *params, struct slice *ret, struct rpc_error *error);
/* What tells a machine from others, as a new object; NULL if there is none of that id. */
json_t *control_machine_brief(const struct handlerd *h, uint64_t id);

#endif
