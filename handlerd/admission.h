/*
 * Admission: while a tftpd carries nearly all that it can, firmware that is about to load from it
 * gets its answers later.  Transfers in progress are never touched: they would only begin again.
 *
 * Silence would be wrong.  A machine whose proxy offer does not come in time takes the bare offer
 * of the DHCP server, and fails or boots something else.  So an answer comes within the time in
 * which this kind of client takes one for certain, and those of machines that were switched on
 * together are spread over it.  Pure.
 */
#ifndef HANDLERD_ADMISSION_H
#define HANDLERD_ADMISSION_H

#include "common/arch.h"
#include "common/msg.h"

/* Once offers wait, they do so until the load is this much below the threshold, for the log. */
#define ADMISSION_SLACK 100u /* permille */

/* Room for admission_words(). */
#define ADMISSION_WORDS_MAX 160

/*
 * The longest that a client of this CPU that asks so may be kept waiting; 0: not at all.  It is
 * that of nobody who asks again (`secs`): he has waited.
 */
uint32_t admission_window_ms(const struct boot_request *r, enum arch_cpu cpu);

/*
 * How long the answer waits when the tftpd has this load: nothing below `from_permille` (0: never
 * anything), above that up to more and more of the client's window, at LOAD_FULL up to all of it;
 * by a hash of its hardware address, so that the same client waits the same.
 */
uint32_t admission_delay_ms(uint32_t load_permille, uint32_t from_permille,
    const struct boot_request *r, enum arch_cpu cpu);

/* "delayed 1200 ms: tftpd of subnet lab is at 90 %". */
void admission_words(struct wbuf *w, uint32_t delay_ms, struct slice subnet, uint32_t load);

#endif
