select
    paid_on as day,
    currency,
    standing,
    count(*) as payments,
    {% for each in ('amount_minor', 'settled_minor', 'refunded_minor', 'charged_back_minor', 'revenue_minor') %}
    cast(sum({{ each }}) as numeric(38, 0)) as {{ each }}{{ ',' if not loop.last }}
    {% endfor %}
from {{ source('cellar', 'payments') }}
group by 1, 2, 3
