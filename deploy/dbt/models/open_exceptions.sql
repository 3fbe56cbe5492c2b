select 'discrepancy' as kind, code, _archive, _version, _url, _received_at as since, cast(null as text) as place
from {{ source('cellar', 'discrepancies') }}
where state = 'open'
union all
select 'warning', code, _archive, _version, _url, _received_at, {{ adapter.quote('where') }}
from {{ source('cellar', 'warnings') }}
union all
select 'unfit_value', 'UNFIT_VALUE', _archive, _version, _url, _received_at, place
from {{ source('cellar', 'unfit_values') }}
union all
select 'message', coalesce(skipped_why, event), _archive, _version, _url, planned_at, endpoint_name
from {{ source('cellar', 'messages') }}
where state = 'dead'
union all
select
    case when state = 'failed' then 'failed_run' else 'waiting_run' end,
    coalesce(cause_code, 'UNKNOWN'), _archive, _version, _url, coalesce(cause_since, received_at), cause_task
from {{ source('cellar', 'archives') }}
where state = 'failed' or (state <> 'completed' and cause_code is not null)
