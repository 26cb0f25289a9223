/* Who has been told of a root, as the control socket tells it. */
#ifndef HANDLERD_CONTROL_ROOTS_H
#define HANDLERD_CONTROL_ROOTS_H

#include "handlerd/handlerd.h"

rpc_method_fn rpc_machines_roots;

#endif
