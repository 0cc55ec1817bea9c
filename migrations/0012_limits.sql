-- +migrate Up
-- How often somebody tried, for all replicas together. Unlogged: after a crash of the database everybody begins anew.
CREATE UNLOGGED TABLE limits (
    key           bytea PRIMARY KEY, -- keyed hash of the action and of who tries: no address is readable here
    full_at       timestamptz NOT NULL, -- when all tries are there again: the theoretical arrival time of GCRA
    failures      integer NOT NULL DEFAULT 0,
    failed_at     timestamptz,
    blocked_until timestamptz, -- no try before, after too many failures
    known_until   timestamptz, -- an account at an address where its owner signed in: counted by itself until then
    expires_at    timestamptz NOT NULL -- the row says nothing any more
) WITH (fillfactor = 70); -- without a further index, so that changes of a row stay on its page

-- Who is answered as if the password were wrong. Addresses are readable: an administrator must see whom a ban meets.
CREATE TABLE bans (
    kind       text NOT NULL CHECK (kind IN ('ip', 'account')),
    key        text NOT NULL, -- an address (of IPv6 its network of 64 bits), or an e-mail address in small letters
    reason     text NOT NULL,
    made_by    text NOT NULL, -- an address, 'command line' or 'automatic'
    created_at timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    PRIMARY KEY (kind, key)
);

-- +migrate StatementBegin
-- The buckets that count: at an address where the account's owner signed in before, the account has one of that address alone, so
-- that guesses from elsewhere do not keep the owner out.
CREATE FUNCTION limits_own(asked bytea[], account bytea, pair bytea, at timestamptz) RETURNS bytea[]
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN EXISTS (SELECT 1 FROM limits WHERE key = pair AND known_until > at) THEN array_replace(asked, account, pair) ELSE asked END
$$;
-- +migrate StatementEnd

-- +migrate StatementBegin
-- Takes one try from each bucket, or from none: then it says how long to wait. Buckets are locked in the order of their keys, so that
-- no two callers wait for each other.
CREATE FUNCTION limits_take(asked bytea[], steps interval[], bursts integer[], account bytea, pair bytea, at timestamptz) RETURNS interval
LANGUAGE plpgsql AS $$
DECLARE
    keys bytea[] := limits_own(asked, account, pair, at);
    taken integer;
BEGIN
    INSERT INTO limits AS l (key, full_at, expires_at)
    SELECT k, at + step, at + step * burst FROM unnest(keys, steps, bursts) AS a(k, step, burst) ORDER BY k
    ON CONFLICT (key) DO UPDATE
    SET full_at = greatest(l.full_at, at) + (excluded.full_at - at),
        expires_at = greatest(l.expires_at, excluded.expires_at)
    WHERE greatest(l.full_at, at) + (excluded.full_at - at) <= excluded.expires_at
      AND (l.blocked_until IS NULL OR l.blocked_until <= at);
    GET DIAGNOSTICS taken = ROW_COUNT;
    IF taken < cardinality(keys) THEN
        RAISE EXCEPTION USING ERRCODE = 'OHLIM'; -- undoes what was taken from the others
    END IF;
    RETURN NULL;
EXCEPTION WHEN SQLSTATE 'OHLIM' THEN
    RETURN (
        SELECT greatest(max(l.full_at + step - step * burst - at), max(l.blocked_until - at), interval '1 millisecond')
        FROM unnest(keys, steps, bursts) AS a(k, step, burst) JOIN limits AS l ON l.key = a.k);
END
$$;
-- +migrate StatementEnd

-- +migrate StatementBegin
-- Counts a failure in each bucket and returns how many each has. The first ones are free, each further one doubles the pause before
-- the next try, up to the longest. After each leak one is forgotten.
CREATE FUNCTION limits_fail(asked bytea[], frees integer[], leaks interval[], longests interval[], account bytea, pair bytea, at timestamptz)
RETURNS integer[]
LANGUAGE plpgsql AS $$
DECLARE
    keys bytea[] := limits_own(asked, account, pair, at);
    counts integer[] := array_fill(0, ARRAY[cardinality(asked)]);
    n integer;
    count integer;
BEGIN
    FOR n IN SELECT i FROM unnest(keys) WITH ORDINALITY AS a(k, i) ORDER BY k LOOP
        INSERT INTO limits AS l (key, full_at, failures, failed_at, expires_at) VALUES (keys[n], at, 1, at, at)
        ON CONFLICT (key) DO UPDATE
        SET failures = 1 + greatest(0, l.failures
                - coalesce(floor(extract(epoch FROM at - l.failed_at) / extract(epoch FROM leaks[n])), 0)::integer),
            failed_at = at
        RETURNING l.failures INTO count;
        counts[n] := count;
        UPDATE limits
        SET blocked_until = CASE WHEN count > frees[n]
                THEN at + least(longests[n], interval '1 second' * power(2, least(30, count - frees[n] - 1))) END,
            expires_at = greatest(expires_at, at + leaks[n] * count)
        WHERE key = keys[n];
    END LOOP;
    RETURN counts;
END
$$;
-- +migrate StatementEnd

-- +migrate Down
DROP FUNCTION limits_fail;
DROP FUNCTION limits_take;
DROP FUNCTION limits_own;
DROP TABLE bans;
DROP TABLE limits;
