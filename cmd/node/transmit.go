package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"rescind/cmd/node/config"
	"rescind/httpapi"
	"rescind/httpapi/ssf"
	"rescind/token"
)

// receiversOf reads who is told of revocations.
func receiversOf(cfg *config.Config) ([]ssf.Receiver, error) {
	const key = "events.receivers-file"
	list, err := readList[ssf.Receiver](key, cfg.Events.ReceiversFile)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if cfg.OAuth.Issuer == "" || cfg.OAuth.KeyFile == "" {
		return nil, errNoIdentity
	}
	if err := ssf.CheckReceivers(list); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	for i, r := range list {
		if r.TokenFile == "" {
			continue
		}
		if _, err := cfg.PushToken(r.Name, r.TokenFile); err != nil {
			return nil, err
		}
		list[i].Token = func() (string, error) { return cfg.PushToken(r.Name, r.TokenFile) }
	}
	return list, nil
}

// transmitting is a transmitter with its log, which is closed after it.
type transmitting struct {
	*ssf.Transmitter
	log *ssf.DiskLog
}

// startTransmitting tells receivers what is revoked through the API that is made of
// api. It returns nil where there are none.
func startTransmitting(cfg *config.Config, api httpapi.Config, log *slog.Logger) (*transmitting, error) {
	receivers, err := receiversOf(cfg)
	if err != nil || len(receivers) == 0 {
		return nil, err
	}
	disk, err := ssf.OpenLog(filepath.Join(cfg.Data.Dir, "outbox"), log)
	if err != nil {
		return nil, err
	}
	t, err := ssf.NewTransmitter(ssf.TransmitterConfig{
		Issuer: api.Name, Signer: api.Signer, Receivers: receivers, Log: disk, MaxBytes: int64(cfg.Events.QueueBytes), Logger: log,
	})
	if err != nil {
		return nil, errors.Join(err, disk.Close())
	}
	return &transmitting{t, disk}, nil
}

// prepare reads as whom events are sent, which can change while the receivers stay.
// It may be called on nil.
func (t *transmitting) prepare(cfg *config.Config) (commit func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	if cfg.OAuth.Issuer == "" || cfg.OAuth.KeyFile == "" {
		return nil, errNoIdentity
	}
	keys, err := token.LoadKeySet(cfg.OAuth.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("oauth.key-file: %w", err)
	}
	return func() { t.SetIdentity(cfg.OAuth.Issuer, keys) }, nil
}

var errNoIdentity = errors.New("events.receivers-file: set oauth.issuer and oauth.key-file too, the name and the keys under which events are sent")

// close may be called on nil.
func (t *transmitting) close() error {
	if t == nil {
		return nil
	}
	t.Transmitter.Close()
	return t.log.Close()
}
