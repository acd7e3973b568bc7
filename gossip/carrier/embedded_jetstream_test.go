package carrier

import (
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"
)

// An embedded server with JetStream syncs every write, says so by its name, and
// is the only one of that name.
func TestEmbeddedJetStreamSyncs(t *testing.T) {
	for dir, name := range map[string]string{"": "rescind-embedded", t.TempDir(): SyncingServer} {
		e, err := StartEmbedded(EmbeddedConfig{Listen: "127.0.0.1:0", StoreDir: dir, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := nats.Connect(e.ClientURL())
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectedServerName(); got != name {
			t.Errorf("the server calls itself %s, want %s", got, name)
		}
		if on := e.server.JetStreamEnabled(); on != (dir != "") {
			t.Errorf("JetStream: %v, in %q", on, dir)
		}
		if config := e.server.JetStreamConfig(); dir != "" && (config == nil || !config.SyncAlways) {
			t.Errorf("%+v", config)
		}
		conn.Close()
		e.Shutdown()
	}
}
