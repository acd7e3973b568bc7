package compare

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/bits-and-blooms/bloom/v3"
	"github.com/redis/go-redis/v9"

	"rescind/bench/apitoken"
	"rescind/bench/process"
)

// redisConfig is what Redis's own page on persistence advises for data that must
// not be lost: the append-only file, synced every second, and snapshots.
var redisConfig = []string{"--appendonly", "yes", "--appendfsync", "everysec", "--save", "3600 1 300 100 60 10000"}

const redisSetup = "go-redis with its defaults (pool of 10 connections per processor, 3 retries), loopback TCP"

// newRedis returns a Redis of its own in dir.
func newRedis(ctx context.Context, dir string) (*service, error) {
	redis.SetLogger(silent{})
	program, err := process.Find(ctx, "redis-server", "redis-server")
	if err != nil {
		return nil, err
	}
	addr, err := process.FreeAddr()
	if err != nil {
		return nil, err
	}
	port := addr[strings.LastIndexByte(addr, ':')+1:]
	args := append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", dir, "--daemonize", "no"}, redisConfig...)
	return startService(ctx, service{
		name: "Redis", addr: addr, signal: syscall.SIGTERM, crash: syscall.SIGKILL,
		command: func() *exec.Cmd { return exec.Command(program, args...) },
		there: func(ctx context.Context) bool {
			c := newRedisClient(addr)
			defer c.Close()
			return c.Ping(ctx).Err() == nil
		},
	})
}

// silent keeps the client from writing to stderr what it also returns as an error.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func newRedisClient(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true})
}

// redisKeys is a key per token that lives as long as the token does.
type redisKeys struct{ client *redis.Client }

func redisKey(id string) string { return "revoked:" + id }

func (r redisKeys) revoked(ctx context.Context, id string) (bool, error) {
	n, err := r.client.Exists(ctx, redisKey(id)).Result()
	return n > 0, err
}

func (r redisKeys) revoke(ctx context.Context, id string) error {
	return r.client.Set(ctx, redisKey(id), "1", 2*time.Hour).Err()
}

// fill revokes identifiers 0 to n-1 and returns the bytes that each takes in
// Redis's memory.
func (r redisKeys) fill(ctx context.Context, n int) (float64, error) {
	before, err := r.memory(ctx)
	if err != nil {
		return 0, err
	}
	for first := 0; first < n; first += 1000 {
		pipe := r.client.Pipeline()
		for i := first; i < min(first+1000, n); i++ {
			pipe.Set(ctx, redisKey(apitoken.ID(uint64(i))), "1", 2*time.Hour)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return 0, fmt.Errorf("fill Redis: %w", err)
		}
	}
	after, err := r.memory(ctx)
	return (after - before) / float64(n), err
}

// memory returns what Redis has allocated, by its own account: keys, values and the
// tables that find them.
func (r redisKeys) memory(ctx context.Context) (float64, error) {
	info, err := r.client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		var bytes float64
		if n, _ := fmt.Sscanf(line, "used_memory:%f", &bytes); n == 1 {
			return bytes, nil
		}
	}
	return 0, fmt.Errorf("redis does not tell its memory")
}

// redisBits is a Bloom filter in a Redis string whose bits the client sets, as
// libraries do for servers without the module: all bits of one identifier in one
// command. It can't forget, and its false positives log people out.
type redisBits struct {
	client  *redis.Client
	m, k    uint
	command string // of the look-up: BITFIELD_RO
}

const (
	redisBloomKey  = "revoked-bloom"
	redisBloomRate = 0.001
)

func newRedisBits(c *redis.Client, n int) redisBits {
	m, k := bloom.EstimateParameters(uint(n), redisBloomRate)
	return redisBits{c, m, k, "BITFIELD_RO"}
}

func (r redisBits) args(command, id string, each ...any) []any {
	args := []any{command, redisBloomKey}
	for _, l := range bloom.Locations([]byte(id), r.k) {
		args = append(args, each[0], "u1", l%uint64(r.m))
		args = append(args, each[1:]...)
	}
	return args
}

func (r redisBits) revoked(ctx context.Context, id string) (bool, error) {
	bits, err := r.client.Do(ctx, r.args(r.command, id, "GET")...).Int64Slice()
	if err != nil {
		return false, err
	}
	for _, b := range bits {
		if b == 0 {
			return false, nil
		}
	}
	return true, nil
}

func (r redisBits) revoke(ctx context.Context, id string) error {
	return r.client.Do(ctx, r.args("BITFIELD", id, "SET", 1)...).Err()
}

func (r redisBits) fill(ctx context.Context, n int) (float64, error) {
	for first := 0; first < n; first += 1000 {
		pipe := r.client.Pipeline()
		for i := first; i < min(first+1000, n); i++ {
			pipe.Do(ctx, r.args("BITFIELD", apitoken.ID(uint64(i)), "SET", 1)...)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return 0, fmt.Errorf("fill the Bloom filter in Redis: %w", err)
		}
	}
	bytes, err := r.client.MemoryUsage(ctx, redisBloomKey).Result()
	return float64(bytes) / float64(n), err
}

// redisModule is the Bloom filter of Redis 8, or of the RedisBloom module.
type redisModule struct{ client *redis.Client }

func (r redisModule) revoked(ctx context.Context, id string) (bool, error) {
	return r.client.BFExists(ctx, redisBloomKey, id).Result()
}

func (r redisModule) revoke(ctx context.Context, id string) error {
	return r.client.BFAdd(ctx, redisBloomKey, id).Err()
}

func (r redisModule) fill(ctx context.Context, n int) (float64, error) {
	if err := r.client.BFReserve(ctx, redisBloomKey, redisBloomRate, int64(n)).Err(); err != nil {
		return 0, fmt.Errorf("make the Bloom filter in Redis: %w", err)
	}
	for first := 0; first < n; first += 1000 {
		var ids []any
		for i := first; i < min(first+1000, n); i++ {
			ids = append(ids, apitoken.ID(uint64(i)))
		}
		if err := r.client.BFMAdd(ctx, redisBloomKey, ids...).Err(); err != nil {
			return 0, fmt.Errorf("fill the Bloom filter in Redis: %w", err)
		}
	}
	bytes, err := r.client.MemoryUsage(ctx, redisBloomKey).Result()
	return float64(bytes) / float64(n), err
}

// redisVersion returns the server's version, and whether it has Bloom filters.
func redisVersion(ctx context.Context, c *redis.Client) (version string, module bool, err error) {
	info, err := c.Info(ctx, "server").Result()
	if err != nil {
		return "", false, err
	}
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, "redis_version:"); ok {
			version = strings.TrimSpace(v)
		}
	}
	commands, err := c.Do(ctx, "COMMAND", "INFO", "BF.EXISTS").Slice()
	return version, err == nil && len(commands) == 1 && commands[0] != nil, err
}
