-- name: change_model
select c.name, c.model
from mmdb.change_model(%(relation)s::text::regclass, %(name)s, %(model)s, index => false) c

-- name: set_lock_timeout
select set_config('lock_timeout', %(timeout)s, true)

-- name: switch_model
select s.name, s.model from mmdb.switch_model(%(relation)s::text::regclass, %(name)s, %(force)s) s

-- name: rollback_model
select s.name, s.model from mmdb.rollback_model(%(relation)s::text::regclass, %(name)s, %(force)s) s
