CREATE TABLE challenge (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE TABLE counter (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE TABLE allowed_transaction (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE TABLE cap (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE TABLE reservation (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE TABLE decision (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE TABLE chain (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE INDEX challenge_due ON challenge (due);
CREATE INDEX counter_due ON counter (due);
CREATE INDEX reservation_due ON reservation (parent, due);
CREATE TABLE audit (
    chain TEXT COLLATE "C", seq BIGINT, entry TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (chain, seq)
);
