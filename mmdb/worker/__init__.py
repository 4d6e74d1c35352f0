"""The worker: claim -> load -> embed -> store, and the answers to requests.

`run` holds it together, `backfill` fills the embeddings of one model, `claim` is each step against the database,
`load` makes sources into what a model takes, `answer` answers mmdb.embed.
"""

from mmdb.worker.backfill import Totals
from mmdb.worker.report import Reporter
from mmdb.worker.run import WorkerOptions, background, work

__all__ = ["Reporter", "Totals", "WorkerOptions", "background", "work"]
