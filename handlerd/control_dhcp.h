/* The method of the control socket that tells what a DHCP server must be told; see control_dhcp.c.
 */
#ifndef HANDLERD_CONTROL_DHCP_H
#define HANDLERD_CONTROL_DHCP_H

#include "handlerd/handlerd.h"

rpc_method_fn rpc_dhcp_options;

#endif
