{# Prints the sources of form tables with what their columns mean, from the table `dictionary`. A name that people gave
   is no template of dbt. #}
{% macro form_sources() %}
{% set found = run_query("select table_name, column_name, description, name_he, place from " ~ source('cellar', 'dictionary')
    ~ " where table_name like 'form_%' order by table_name, column_name") %}
{% set tables = {} %}
{% for table, column, description, name_he, place in found.rows %}
{% set texts = [description, name_he, place] | select | unique | join(' · ') %}
{% set plain = modules.re.sub('[{](?=[{%#])', '{ ', texts) %}
{% do tables.setdefault(table, []).append({'name': column, 'description': plain, 'quote': true}) %}
{% endfor %}
{% set its = [] %}
{% for table, columns in tables.items() %}
{% set path = '{' ~ "{ env_var('DBT_LAKE_URL', 'data/lake') }" ~ '}/' ~ table %}
{% do its.append({'name': table, 'config': {'meta': {'delta_table_path': path}}, 'columns': columns}) %}
{% endfor %}
{% do print(toyaml({'version': 2, 'sources': [{'name': 'cellar_forms', 'schema': 'cellar_share',
    'config': {'meta': {'plugin': 'delta'}}, 'tables': its}]})) %}
{% endmacro %}
