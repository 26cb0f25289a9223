/* The methods of the control socket that speak of models of firmware; see control_quirks.c. */
#ifndef HANDLERD_CONTROL_QUIRKS_H
#define HANDLERD_CONTROL_QUIRKS_H

#include "handlerd/handlerd.h"

rpc_method_fn rpc_quirks_list, rpc_quirks_show, rpc_quirks_export, rpc_quirks_import,
    rpc_quirks_forget;

#endif
