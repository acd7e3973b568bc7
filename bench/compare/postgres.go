package compare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"rescind/bench/apitoken"
	"rescind/bench/process"
)

const (
	postgresSchema = "CREATE TABLE revoked_tokens (jti text PRIMARY KEY, expires_at timestamptz NOT NULL); CREATE INDEX ON revoked_tokens (expires_at)"
	postgresQuery  = "SELECT EXISTS (SELECT 1 FROM revoked_tokens WHERE jti = $1)"
	postgresSetup  = "pgxpool with its defaults (statements prepared on first use, pool of 4 or one connection per processor), initdb's settings, loopback TCP"
)

// newPostgres returns a PostgreSQL of its own below dir. The server refuses to
// run as root, and then runs as the user of Debian's package.
func newPostgres(ctx context.Context, dir string) (*service, error) {
	initdb, err := process.Find(ctx, "initdb", "postgresql", "/usr/lib/postgresql/*/bin")
	if err != nil {
		return nil, err
	}
	owner, err := postgresOwner()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.uid), int(owner.gid)); err != nil {
			return nil, err
		}
	}
	as := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
		if owner != nil {
			process.RunAs(cmd, owner.uid, owner.gid)
		}
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := as(initdb, "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8").CombinedOutput(); err != nil {
		return nil, &process.Missing{What: fmt.Sprintf("initdb fails here: %v: %s", err, strings.TrimSpace(string(out)))}
	}
	addr, err := process.FreeAddr()
	if err != nil {
		return nil, err
	}
	port := addr[strings.LastIndexByte(addr, ':')+1:]
	return startService(ctx, service{
		name: "PostgreSQL", addr: addr, signal: syscall.SIGINT, crash: syscall.SIGQUIT, // an immediate shutdown: no checkpoint, recovery at the next start
		command: func() *exec.Cmd {
			return as(filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data, "-k", dir, "-h", "127.0.0.1", "-p", port)
		},
		there: func(ctx context.Context) bool {
			c, err := pgx.Connect(ctx, postgresURL(addr))
			return err == nil && c.Close(ctx) == nil
		},
	})
}

type userID struct{ uid, gid uint32 }

// postgresOwner returns whom the server runs as, nil for whoever this is.
func postgresOwner() (*userID, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, &process.Missing{What: "PostgreSQL does not run as root, and there is no user postgres"}
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &userID{uint32(uid), uint32(gid)}, errors.Join(err1, err2)
}

func postgresURL(addr string) string {
	return "postgres://bench@" + addr + "/postgres?sslmode=disable"
}

// postgresTable is a row per token.
type postgresTable struct{ pool *pgxpool.Pool }

func (p postgresTable) revoked(ctx context.Context, id string) (found bool, err error) {
	err = p.pool.QueryRow(ctx, postgresQuery, id).Scan(&found)
	return found, err
}

func (p postgresTable) revoke(ctx context.Context, id string) error {
	_, err := p.pool.Exec(ctx, "INSERT INTO revoked_tokens VALUES ($1, $2) ON CONFLICT DO NOTHING", id, time.Now().Add(2*time.Hour))
	return err
}

// fill revokes identifiers 0 to n-1 and returns the bytes that each takes on
// disk, indexes included, all of which the server also keeps in memory.
func (p postgresTable) fill(ctx context.Context, n int) (float64, error) {
	if _, err := p.pool.Exec(ctx, postgresSchema); err != nil {
		return 0, fmt.Errorf("make the table: %w", err)
	}
	expires := time.Now().Add(2 * time.Hour)
	rows := pgx.CopyFromSlice(n, func(i int) ([]any, error) { return []any{apitoken.ID(uint64(i)), expires}, nil })
	if _, err := p.pool.CopyFrom(ctx, pgx.Identifier{"revoked_tokens"}, []string{"jti", "expires_at"}, rows); err != nil {
		return 0, fmt.Errorf("fill the table: %w", err)
	}
	if _, err := p.pool.Exec(ctx, "VACUUM ANALYZE revoked_tokens"); err != nil {
		return 0, err
	}
	var bytes int64
	err := p.pool.QueryRow(ctx, "SELECT pg_total_relation_size('revoked_tokens')").Scan(&bytes)
	return float64(bytes) / float64(n), err
}
