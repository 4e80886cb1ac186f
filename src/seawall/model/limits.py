"""Named maxima.  The rule: every queue, batch, depth and retry is bounded by one of these.

Plain numbers are counts; other units end the name.
"""

from typing import Final

BATCH_COMMANDS: Final = 1_000
"""Commands in one journal append."""
BATCH_BYTES: Final = 1 << 20
"""Payload bytes in one journal append (etcd's default request limit is 1.5 MiB)."""
COMMAND_BYTES: Final = 1 << 16
"""One encoded command."""
SEQUENCER_QUEUE: Final = 20_000
"""Commands waiting for the journal; the next one is refused as overloaded."""
SEQUENCER_BYTES: Final = 64 << 20
"""Encoded bytes waiting for the journal; past that, the next command is refused as overloaded."""
APPEND_ATTEMPTS: Final = 5
"""How often an append of unknown outcome is looked up or tried again before the cell stops."""
COMMAND_IDS: Final = 200_000
"""Command ids remembered, per cell, oldest forgotten first."""
COMMAND_ID_CHARS: Final = 64

CHECKPOINT_ENTRIES: Final = 10_000
"""A digest of the whole state is journaled every so many entries."""
SNAPSHOT_ENTRIES: Final = 50_000
"""A snapshot is taken every so many entries."""
READ_ENTRIES: Final = 4_096
"""Entries in one journal read."""

ORDERS_PER_LIST: Final = 3
CLIENT_ORDER_ID_CHARS: Final = 36
FILLS_PER_COMMAND: Final = 100_000
"""Fills and prevented matches of one taker; icebergs can fill many times.  What is left expires."""
MARKET_OPEN_ORDERS: Final = 100_000
"""Open orders in one market, all users together."""
TRIGGERS_PER_COMMAND: Final = 10_000
"""Stop orders that one command may set off; the rest follow with the next entry."""
COUNTDOWN_MS_MAX: Final = 86_400_000
"""The longest countdown-cancel."""
ASSET_DECIMALS: Final = 36
CURRENT_S: Final = 10
"""Without a journal entry for so long, though one is due each second, nothing is called current."""

HTTP_BODY_BYTES: Final = 1 << 16
HTTP_HEADER_BYTES: Final = 1 << 15
REQUEST_S: Final = 10
"""A request's head and body must have arrived within this many seconds."""
WS_MESSAGE_BYTES: Final = 1 << 16
WS_STREAMS_PER_SOCKET: Final = 1_024
WS_QUEUE_BYTES: Final = 4 << 20
"""Unsent bytes for one subscriber; past that it is cut off."""
WS_SOCKETS: Final = 20_000
RESUME_ENTRIES: Final = 50_000
"""Entries of the spot cell after which a stream may go on; past these, a snapshot is needed."""
RESUME_EVENTS: Final = 500_000
"""Trades and changed levels kept for that."""
RESUME_BYTES: Final = 64 << 20
"""Users' messages kept for that, encoded."""
WS_PENDING_REQUESTS: Final = 64
"""Requests of one socket under way at once; then it is not read further."""
LISTEN_KEY_S: Final = 3_600
RECV_WINDOW_MS_MAX: Final = 60_000
RECV_WINDOW_MS_DEFAULT: Final = 5_000

USER_NAME_CHARS: Final = 64
API_KEYS_PER_USER: Final = 30
API_KEY_CHARS: Final = 64
KEY_MATERIAL_CHARS: Final = 4_096
KEY_LABEL_CHARS: Final = 64
IP_NETWORKS_PER_KEY: Final = 30
IP_NETWORK_CHARS: Final = 64
LISTEN_KEY_CHARS: Final = 64

VIEW_RECENT_TRADES: Final = 2_000
"""Trades, and aggregate trades, of one market answered from memory; older ones from history."""
VIEW_FLUSH_EVENTS: Final = 2_000
"""Events that wait before history is written, unless a reader asks first."""
VIEW_BATCHES_IN_FLIGHT: Final = 8
"""Written batches on their way to history; past that, commits wait for it."""
VIEW_INTERRUPTIONS: Final = 1_000
"""Interruptions of one market, or of all, kept in memory for the streams."""
VIEW_WINDOW_HOURS: Final = 7 * 24
"""The longest rolling window."""
QUERY_ROWS: Final = 1_000
"""Rows in one answer about trades, candles or orders."""

LEASE_S: Final = 15
"""The longest lease of withdrawals beyond the journal's time: nobody grants an hour by mistake."""
CANARIES: Final = 256
"""Canaries remembered; the oldest that have ended are forgotten first."""
CANARY_KEY_CHARS: Final = 64
REASON_CHARS: Final = 256

OPEN_INCIDENTS: Final = 50
"""Past these, what happens is part of the newest."""
INCIDENTS: Final = 1_000
"""Ended incidents kept; the oldest are forgotten first."""
INCIDENT_UPDATES: Final = 500
"""Lines of one incident's timeline; the oldest but the first is forgotten first."""
INCIDENT_JOIN_S: Final = 120
"""Trouble that begins so soon after an open incident is part of it."""
UPDATE_LATE_S: Final = 30
"""A promised word that comes later than this was missed."""
PERSON_CHARS: Final = 64
WORDS_CHARS: Final = 4_000
PLAN_STAGES: Final = 100
"""Stages that one plan remembers; the oldest is forgotten first."""
STEP_BACK_S: Final = 60
"""A plan waits so long after its first step back, and twice as long after each next."""
STEP_BACK_MAX_S: Final = 3_600
MAINTENANCES: Final = 100
"""Planned work that has not ended."""
MAINTENANCE_UPDATES: Final = 100
TOP_UP_ASK_S: Final = 3_600
"""People are asked again for a top-up after so long."""

RELAY_MESSAGES: Final = 256
"""Messages of one cell to another that are carried at once."""
ADDRESS_CHARS: Final = 128
ADDRESS_LABEL_CHARS: Final = 64
ADDRESSES_PER_USER: Final = 200
"""Address book entries of one user on one network."""

RUNBOOK_CHARS: Final = 32_768
RUNBOOK_NAME_CHARS: Final = 80
"""A version's or rule's name."""
RUNBOOK_DEPENDENCIES: Final = 200
RUNBOOK_RULES: Final = 200
"""Rules, and moves of one rule."""
WATCHERS: Final = 64
WATCHER_CHARS: Final = 64
"""A watcher's or provider's name."""
SIGNALS_PER_REPORT: Final = 256
SIGNAL_DETAIL_CHARS: Final = 240
"""What is kept of a signal's words."""
DEPENDENCIES: Final = 512
"""Dependencies with a verdict; further ones that the runbook does not name are not heard."""
DEPENDENCY_CHARS: Final = 128
SERVICES: Final = 5_000
SERVICE_CHARS: Final = 128
CLOSED_DAYS: Final = 91
"""History of the time in which services were not open, in days."""
CLOSED_TIMES: Final = 20_000
"""Spans of that history."""
