-- Every text in the structure of some schemas: what it is and where, what it says, and whether that is SQL.
SELECT 'comment on ' || coalesce(r.relname, t.typname, p.proname, k.conname, g.tgname, e.stxname)::text
    || coalesce('.' || a.attname, ''), d.description, false
FROM pg_description d
LEFT JOIN pg_class r ON d.classoid = 'pg_class'::regclass AND r.oid = d.objoid
LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.objsubid AND d.objsubid > 0
LEFT JOIN pg_type t ON d.classoid = 'pg_type'::regclass AND t.oid = d.objoid
LEFT JOIN pg_proc p ON d.classoid = 'pg_proc'::regclass AND p.oid = d.objoid
LEFT JOIN pg_constraint k ON d.classoid = 'pg_constraint'::regclass AND k.oid = d.objoid
LEFT JOIN pg_trigger g ON d.classoid = 'pg_trigger'::regclass AND g.oid = d.objoid
LEFT JOIN pg_class gr ON gr.oid = g.tgrelid
LEFT JOIN pg_statistic_ext e ON d.classoid = 'pg_statistic_ext'::regclass AND e.oid = d.objoid
JOIN pg_namespace n ON n.oid IN
    (r.relnamespace, t.typnamespace, p.pronamespace, k.connamespace, gr.relnamespace, e.stxnamespace)
WHERE n.nspname IN ({schemas})
UNION ALL
SELECT 'default of ' || c.relname || '.' || t.attname, pg_get_expr(a.adbin, a.adrelid), true
FROM pg_attrdef a JOIN pg_class c ON c.oid = a.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute t ON t.attrelid = a.adrelid AND t.attnum = a.adnum
WHERE n.nspname IN ({schemas})
UNION ALL
SELECT 'constraint ' || k.conname, pg_get_constraintdef(k.oid), true
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
WHERE k.contype IN ('c', 'x') AND n.nspname IN ({schemas})
UNION ALL
SELECT 'default of type ' || t.typname, quote_literal(t.typdefault), true
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'd' AND t.typdefault IS NOT NULL AND n.nspname IN ({schemas})
UNION ALL
SELECT 'label of ' || t.typname, quote_literal(l.enumlabel), true
FROM pg_enum l JOIN pg_type t ON t.oid = l.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname IN ({schemas})
UNION ALL
SELECT 'index ' || c.relname, pg_get_indexdef(i.indexrelid), true
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL) AND n.nspname IN ({schemas})
UNION ALL
SELECT 'statistics ' || e.stxname, pg_get_statisticsobjdef(e.oid), true
FROM pg_statistic_ext e JOIN pg_namespace n ON n.oid = e.stxnamespace WHERE n.nspname IN ({schemas})
UNION ALL
SELECT 'trigger ' || g.tgname, pg_get_triggerdef(g.oid), true
FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT g.tgisinternal AND n.nspname IN ({schemas})
UNION ALL
SELECT 'view ' || c.relname, pg_get_viewdef(c.oid), true
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND n.nspname IN ({schemas})
UNION ALL
SELECT 'bound of partition ' || c.relname, pg_get_expr(c.relpartbound, c.oid), true
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relispartition AND c.relkind IN ('r', 'p') AND n.nspname IN ({schemas})
UNION ALL
SELECT 'function ' || p.proname,
    concat_ws(' ', p.prosrc, pg_get_function_sqlbody(p.oid), pg_get_function_arguments(p.oid)), true
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ({schemas})
