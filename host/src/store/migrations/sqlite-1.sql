CREATE TABLE challenge (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE TABLE counter (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE TABLE allowed_transaction (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE TABLE cap (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE TABLE reservation (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE TABLE decision (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE TABLE chain (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, parent TEXT, due INTEGER
) STRICT;
CREATE INDEX challenge_due ON challenge (due);
CREATE INDEX counter_due ON counter (due);
CREATE INDEX reservation_due ON reservation (parent, due);
CREATE TABLE audit (
    chain TEXT NOT NULL, seq INTEGER NOT NULL, entry TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (chain, seq)
) STRICT;
