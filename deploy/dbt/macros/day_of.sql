{# The day of a moment, in the zone in which cellar counts the days of payments. #}
{% macro day_of(moment) %}
cast({{ moment }} at time zone (select max({{ adapter.quote('zone') }}) from {{ source('cellar', 'dictionary') }}) as date)
{% endmacro %}
