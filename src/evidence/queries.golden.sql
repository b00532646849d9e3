-- countVerdicts [0]
select "verdict", "would_be", cast(count(*) as integer) as "n" from "exchanges" where "at_ms" >= $1 group by "verdict", "would_be" order by "verdict", "would_be";

-- countTools [0,200]
select "tool", "verdict", cast(count(*) as integer) as "n", cast(count(distinct "subject") as integer) as "people" from "exchanges" where "at_ms" >= $1 group by "tool", "verdict" order by "n" desc, "tool", "verdict" limit $2;

-- listRecentExchanges [50]
select "index", "at_ms", "exchange", "subject", "tool", "release", "provider", "verdict", "would_be", "decision", "result", "http_status" from "exchanges" order by "index" desc limit $1;

-- countOpenExchanges []
select cast(count(*) as integer) as "n" from "exchanges" where "result" is null;

-- countKinds []
select "kind", cast(count(*) as integer) as "n" from "entries" group by "kind" order by "kind";
