-- Fields of forms that had a value in at least 20 of the archives that `dictionary` counts, and have none since: for 20
-- times as long as the archives with a value came apart.
{{ config(severity='warn') }}
select *
from (
    select
        table_name,
        column_name,
        last_at,
        filled * counted_rows as archives,
        extract(epoch from last_at - first_at) as seen_s,
        extract(epoch from max(last_at) over (partition by table_name) - last_at) as gone_s
    from {{ source('cellar', 'dictionary') }}
) its
where table_name like 'form_%' and archives >= 20 and gone_s > 20 * seen_s / archives
