"""The worker: feed -> load -> make -> store, and the answers to requests.

`run` starts it and connects again, `session` is one registration. For each model a `conductor` has `feed` claim rows,
`load` make items of them, `make` vectors of those, and `store` write them; `belt` has the queues in between. `steps` is
each step against the database, `connections` what it goes through, `values` what passes along. `answer` answers
mmdb.embed.
"""

from mmdb.worker.report import Reporter
from mmdb.worker.run import background, work
from mmdb.worker.values import Totals, WorkerOptions

__all__ = ["Reporter", "Totals", "WorkerOptions", "background", "work"]
