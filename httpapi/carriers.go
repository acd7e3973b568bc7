package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"

	"rescind/cluster"
)

// carrierJSON is a way in which messages travel, as operators read it.
type carrierJSON struct {
	Name          string `json:"name"`
	Connected     bool   `json:"connected"`
	Address       string `json:"address"`              // where it listens, or the server it is connected to
	Advertised    string `json:"advertised,omitempty"` // the address that others are told; not for NATS
	Members       int    `json:"members"`              // 0 where the carrier has no membership
	Sent          uint64 `json:"sent"`
	SentBytes     uint64 `json:"sent_bytes"`
	Received      uint64 `json:"received"`
	ReceivedBytes uint64 `json:"received_bytes"`
	Dropped       uint64 `json:"dropped"`
	Overrun       uint64 `json:"overrun"`
	Refused       uint64 `json:"refused"`
	First         uint64 `json:"first"` // revocations that it brought before the other carrier did
	Errors        uint64 `json:"errors"`
	Reconnects    uint64 `json:"reconnects"`
	LoginsRefused uint64 `json:"logins_refused"`
	Refusal       string `json:"refusal,omitempty"` // why the server and this node do not accept each other
	LastError     string `json:"last_error"`        // holds no credentials
}

func carriersOf(st cluster.Status) []carrierJSON {
	first := firstBy(st.Counters)
	out := make([]carrierJSON, 0, len(st.Carriers))
	for _, c := range st.Carriers {
		out = append(out, carrierJSON{
			Name:          c.Name,
			Connected:     c.Connected,
			Address:       c.Address,
			Advertised:    c.Advertised,
			Members:       c.Members,
			Sent:          c.Sent,
			SentBytes:     c.SentBytes,
			Received:      c.Received,
			ReceivedBytes: c.ReceivedBytes,
			Dropped:       c.Dropped,
			Overrun:       c.Overrun,
			Refused:       c.Refused,
			First:         first[c.Name],
			Errors:        c.Errors,
			Reconnects:    c.Reconnects,
			LoginsRefused: c.LoginsRefused,
			Refusal:       c.Refusal,
			LastError:     c.LastError,
		})
	}
	return out
}

var (
	descConnected     = desc("carrier_connected", "1 if the carrier reaches another member, or a server.", "carrier")
	descSent          = desc("carrier_sent_messages_total", "Messages handed to the network.", "carrier")
	descSentBytes     = desc("carrier_sent_bytes_total", "Bytes handed to the network.", "carrier")
	descReceived      = desc("carrier_received_messages_total", "Messages received.", "carrier")
	descReceivedBytes = desc("carrier_received_bytes_total", "Bytes received.", "carrier")
	descNotSent       = desc("carrier_dropped_messages_total", "Messages not sent: the queue was full, they were too large, or nobody was connected.", "carrier")
	descOverrun       = desc("carrier_overrun_messages_total", "Messages that arrived faster than they were taken, and were lost.", "carrier")
	descRefusedConns  = desc("carrier_refused_connections_total", "Connections of others for which there was no room, in number or in bytes.", "carrier")
	descFirst         = desc("carrier_first_total", "Revocations that this carrier brought before another one did.", "carrier")
	descReconnects    = desc("carrier_reconnects_total", "Connections made anew.", "carrier")
	descLoginsRefused = desc("carrier_logins_refused_total", "Connections that ended because the NATS server and this node do not accept each other's credentials or certificates.", "carrier")
	descErrors        = desc("carrier_errors_total", "Failures of sending and connecting.", "carrier")
)

func describeCarriers(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descConnected, descSent, descSentBytes, descReceived, descReceivedBytes, descNotSent, descOverrun, descRefusedConns, descFirst, descReconnects, descLoginsRefused, descErrors} {
		ch <- d
	}
}

// firstBy returns how many revocations each carrier brought first.
func firstBy(c cluster.Counters) map[string]uint64 {
	return map[string]uint64{"gossip": c.FirstByGossip, "nats": c.FirstByNATS}
}

func collectCarriers(ch chan<- prometheus.Metric, st cluster.Status) {
	first := firstBy(st.Counters)
	for _, c := range st.Carriers {
		name := labelValue(c.Name)
		gauge(ch, descConnected, boolGauge(c.Connected), name)
		counter(ch, descSent, c.Sent, name)
		counter(ch, descSentBytes, c.SentBytes, name)
		counter(ch, descReceived, c.Received, name)
		counter(ch, descReceivedBytes, c.ReceivedBytes, name)
		counter(ch, descNotSent, c.Dropped, name)
		counter(ch, descOverrun, c.Overrun, name)
		counter(ch, descRefusedConns, c.Refused, name)
		counter(ch, descFirst, first[c.Name], name)
		counter(ch, descReconnects, c.Reconnects, name)
		counter(ch, descLoginsRefused, c.LoginsRefused, name)
		counter(ch, descErrors, c.Errors, name)
	}
}
