# SPDX-License-Identifier: GPL-2.0
# rust/driver/peer/sessions.rs
# after another private key the next handshake waits for its turn
/^        self\.reset_last_sent_handshake();$/d
