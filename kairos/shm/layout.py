"""Where each number of a zone lies, in cells from the start of the header or of a worker's row."""

from dataclasses import dataclass

# The header: one writer, the supervisor, except where noted.
STARTED_AT = 0  # nanoseconds since 1970
STARTED_CLOCK = 1  # nanoseconds of CLOCK_MONOTONIC
GENERATION = 2  # of the config that is committed
CONFIG_VERSION = 3
RELOADS = 4
RELOADS_REFUSED = 5
WORKERS_DIED = 6
NAMES_FOLDED = 7  # lookups that found the directory full; any process adds
WORDS_FOLDED = 8  # lookups that found the table full; any process adds
HASH_KEY = 10  # two cells: the random key of this boot
HEADER_CELLS = 512  # a page, so that nothing shares a cache line with a row

# A row: one writer, its worker. Counters only grow; a successor in the slot goes on where a dead worker stopped.
CONNECTIONS_ACCEPTED = 0
REQUESTS = 1  # begun
RESPONSES_1XX = 2
RESPONSES_2XX = 3
RESPONSES_3XX = 4
RESPONSES_4XX = 5
RESPONSES_5XX = 6
LOCAL_REPLIES = 7
UPSTREAM_CONNECTS = 8
UPSTREAM_REUSES = 9
UPSTREAM_FAILURES = 10
BYTES_IN = 11  # from clients
BYTES_OUT = 12  # to clients
RETRIES = 13  # requests that were sent again after a pause
RATE_LIMITED = 14  # requests that a rate limit refused
RATE_DRY_RUN = 15  # requests that a rate limit would have refused
RATE_FORGOTTEN = 16  # clients that rate limits forgot too early, for want of memory
CACHE_HITS = 17  # requests that were answered with what was stored, and nobody asked
CACHE_FETCHES = 18  # requests to backends whose answers could be stored
CACHE_REFUSED = 20  # answers that the cache could not store, because the disk or its bounds did not let it
CACHE_EVICTED = 21  # answers that made room for others
TLS_HANDSHAKES = 22  # with clients, that have succeeded
TLS_RESUMED = 23  # those of them that went on with an earlier session
TLS_FAILURES = 24  # handshakes with clients that came to nothing
WEBSOCKET_BYTES_IN = 25  # from clients; of all that has changed from HTTP to another protocol
WEBSOCKET_BYTES_OUT = 26
WEBSOCKET_MESSAGES_IN = 27
WEBSOCKET_MESSAGES_OUT = 28
WEBSOCKETS = 29  # that were opened
# Gauges say how things are; the supervisor zeroes those of a dead worker.
CONNECTIONS_OPEN = 32
IN_FLIGHT = 33
UPSTREAM_OPEN = 34
LIVE_GENERATIONS = 35
LIVE_GENERATION = 36  # the newest that the worker serves
HEARTBEAT = 37  # nanoseconds of CLOCK_MONOTONIC
PID = 38
WEBSOCKETS_OPEN = 39
GAUGES = range(32, 64)
# Dynamic columns follow: one per name in the directory, then two that all names share that found it full.
COLUMNS = 64
OVERFLOW_COLUMNS = 2  # one of counters, one of gauges

ENTRY_CELLS = 4  # of the table: two of the hash, the word, one in reserve
NAME_CELLS = 32  # of the directory: two of the hash, the length, the text
NAME_BYTES = (NAME_CELLS - 3) * 8

CACHE_CELLS = 512 + (1 << 14)  # of the response cache, in kairos.cache.words

_PAGE_CELLS = 512


def _pages(cells: int) -> int:
    """Round up to whole pages: rows of two workers must not meet in a cache line, nor use memory before they count."""
    return -(-cells // _PAGE_CELLS) * _PAGE_CELLS


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts of a zone with `slots` rows and room for `columns` names and `words` keys (both powers of two)."""

    slots: int
    columns: int
    words: int
    guarded_cells: int = 0  # of the rate limits, with their locks

    @property
    def row_cells(self) -> int:
        """The size of a row."""
        return _pages(COLUMNS + self.columns + OVERFLOW_COLUMNS)

    @property
    def names(self) -> int:
        """The start of the directory of names."""
        return HEADER_CELLS + self.slots * self.row_cells

    @property
    def table(self) -> int:
        """The start of the table of words; one more word follows it, for keys that found it full."""
        return self.names + _pages(self.columns * NAME_CELLS)

    @property
    def guarded(self) -> int:
        """The start of what changes under locks."""
        return self.table + _pages(self.words * ENTRY_CELLS + 1)

    @property
    def cache(self) -> int:
        """The start of the words of the response cache."""
        return self.guarded + _pages(self.guarded_cells)

    @property
    def cells(self) -> int:
        """The size of the zone."""
        return self.cache + _pages(CACHE_CELLS)

    def row(self, slot: int) -> int:
        """Return the start of a slot's row."""
        return HEADER_CELLS + slot * self.row_cells
