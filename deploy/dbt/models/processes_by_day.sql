{% set branches = var('branches') %}
with named as (
    {% for table, column in branches.items() %}
    select _archive, nullif(trim(cast({{ adapter.quote(column) }} as text)), '') as branch
    from {{ source('cellar_forms', table) }}
    {{ 'union all' if not loop.last }}
    {% else %}
    select _archive, source as branch from {{ source('cellar', 'archives') }}
    {% endfor %}
)

select
    {{ day_of('archives.received_at') }} as day,
    coalesce(named.branch, 'unknown') as branch,
    count(*) as processes,
    sum(case when archives.state = 'completed' then 1 else 0 end) as completed,
    sum(case when archives.state = 'failed' then 1 else 0 end) as failed
from {{ source('cellar', 'archives') }} as archives
left join named on archives._archive = named._archive
group by 1, 2
