with submitted as (
    select _archive, max(submitted_at) as submitted_at
    from {{ source('cellar', 'sessions') }}
    group by 1
),

timed as (
    select
        {{ day_of('archives.received_at') }} as day,
        archives.template_id,
        cast(extract(epoch from archives.received_at - submitted.submitted_at) as double precision) as arrival_s,
        cast(extract(epoch from archives.completed_at - archives.received_at) as double precision) as completion_s
    from {{ source('cellar', 'archives') }} as archives
    inner join submitted on archives._archive = submitted._archive
    where submitted.submitted_at is not null
)

select
    day,
    template_id,
    count(*) as archives,
    percentile_cont(0.5) within group (order by arrival_s) as median_arrival_s,
    percentile_cont(0.95) within group (order by arrival_s) as p95_arrival_s,
    max(arrival_s) as slowest_arrival_s,
    percentile_cont(0.5) within group (order by completion_s) as median_completion_s
from timed
group by 1, 2
