"""Checkers, one invariant each: first those that need nothing but the events, then those that look into the books."""

from __future__ import annotations

from triort.testing._checkers.addresses_unique import AddressesUnique
from triort.testing._checkers.all_ends import AllEnds
from triort.testing._checkers.allowed_outcome import AllowedOutcome
from triort.testing._checkers.blobs_known import BlobsKnown
from triort.testing._checkers.books_balance import BooksBalance
from triort.testing._checkers.both_ends import BothEnds
from triort.testing._checkers.cancel_is_final import CancelIsFinal
from triort.testing._checkers.cancels_answered import CancelsAnswered
from triort.testing._checkers.crash_limits import CrashLimits
from triort.testing._checkers.deadlines_heeded import DeadlinesHeeded
from triort.testing._checkers.deadlines_kept import DeadlinesKept
from triort.testing._checkers.deadlines_passed_on import DeadlinesPassedOn
from triort.testing._checkers.deadlines_set import DeadlinesSet
from triort.testing._checkers.fence_kept import FenceKept
from triort.testing._checkers.grace_kept import GraceKept
from triort.testing._checkers.idle_truth import IdleTruth
from triort.testing._checkers.journal_keeps import JournalKeeps
from triort.testing._checkers.links_last import LinksLast
from triort.testing._checkers.message_budget import MessageBudget
from triort.testing._checkers.no_attraction import NoAttraction
from triort.testing._checkers.no_late_starts import NoLateStarts
from triort.testing._checkers.no_orphans import NoOrphans
from triort.testing._checkers.no_rash_kills import NoRashKills
from triort.testing._checkers.no_starvation import NoStarvation
from triort.testing._checkers.once_per_link import OncePerLink
from triort.testing._checkers.one_outcome import OneOutcome
from triort.testing._checkers.queues_bounded import QueuesBounded
from triort.testing._checkers.queues_known import QueuesKnown
from triort.testing._checkers.results_leave import ResultsLeave
from triort.testing._checkers.starts_in_order import StartsInOrder
from triort.testing._checkers.starts_in_time import StartsInTime
from triort.testing._checkers.starts_once import StartsOnce
from triort.testing._checkers.suspects_alone import SuspectsAlone
from triort.testing._checkers.tables_empty import TablesEmpty
from triort.testing._checkers.unwanted_cancelled import UnwantedCancelled
from triort.testing._plan.plan import Plan
from triort.testing._run import Checker

EVENT_CHECKERS: tuple[type[Checker], ...] = (
    OneOutcome,
    AllowedOutcome,
    NoOrphans,
    CancelIsFinal,
    OncePerLink,
    AllEnds,
    AddressesUnique,
    NoRashKills,
    GraceKept,
    LinksLast,
    FenceKept,
    JournalKeeps,
)
"""These look at the stream of events alone, so they hold in either tier."""

BOOK_CHECKERS: tuple[type[Checker], ...] = (
    BlobsKnown,
    BooksBalance,
    BothEnds,
    CancelsAnswered,
    CrashLimits,
    DeadlinesHeeded,
    DeadlinesKept,
    DeadlinesPassedOn,
    DeadlinesSet,
    IdleTruth,
    MessageBudget,
    NoAttraction,
    NoLateStarts,
    NoStarvation,
    QueuesBounded,
    QueuesKnown,
    ResultsLeave,
    StartsInOrder,
    StartsInTime,
    StartsOnce,
    SuspectsAlone,
    TablesEmpty,
    UnwantedCancelled,
)


def event_checkers() -> list[Checker]:
    """New checkers for one run: those that look at events alone."""
    return [checker() for checker in EVENT_CHECKERS]


def all_checkers(plan: Plan) -> list[Checker]:
    """New checkers for one run of this plan: all that hold for it."""
    return [checker() for checker in (*EVENT_CHECKERS, *BOOK_CHECKERS)]
