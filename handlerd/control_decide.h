/* The methods of the control socket that speak of decisions; see control_decide.c. */
#ifndef HANDLERD_CONTROL_DECIDE_H
#define HANDLERD_CONTROL_DECIDE_H

#include "handlerd/handlerd.h"

rpc_method_fn rpc_explain, rpc_replay, rpc_assign, rpc_set_state, rpc_set_group, rpc_waiting,
    rpc_reload, rpc_loaders_forget;

#endif
