CREATE TABLE account (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE TABLE band (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE TABLE ticket (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE TABLE status_list (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE TABLE status_part (
    key TEXT COLLATE "C" PRIMARY KEY, value TEXT NOT NULL, parent TEXT COLLATE "C", due BIGINT
);
CREATE INDEX ticket_due ON ticket (due);
CREATE INDEX status_part_parent ON status_part (parent);
