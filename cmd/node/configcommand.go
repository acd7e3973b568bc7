package main

import (
	"context"
	"fmt"
	"time"

	"rescind/cmd/node/config"
)

// runConfig checks or prints the settings of serve, without starting anything.
func runConfig(_ context.Context, e env) error {
	if len(e.args) == 0 || e.args[0] != "check" && e.args[0] != "print" {
		return usage("config: use 'config check' or 'config print', followed by the flags of serve")
	}
	print := e.args[0] == "print"
	e.args = e.args[1:]
	cfg, err := loadConfig(e)
	if err != nil {
		return err
	}
	if _, err := cfg.ClusterKey(); err != nil {
		return &exitError{exitUsage, err}
	}
	if err := checkFiles(cfg); err != nil {
		return &exitError{exitUsage, err}
	}
	if !print {
		err := checkExpiries(cfg, time.Now(), func(text string) { fmt.Fprintln(e.stderr, "rescind: soon "+text) })
		if err != nil {
			return &exitError{exitUsage, err}
		}
	}
	if print {
		return cfg.Print(e.stdout)
	}
	fmt.Fprintln(e.stderr, "rescind: the settings are good")
	return nil
}

// checkFiles reads the files that cfg names, but those of the issuers.
func checkFiles(cfg *config.Config) error {
	if _, err := cfg.TransportKeys(); err != nil {
		return err
	}
	if _, err := apiConfig(cfg); err != nil {
		return err
	}
	if _, err := memoryOf(cfg); err != nil {
		return err
	}
	if _, err := loadCertificate(cfg.HTTP.CertFile, cfg.HTTP.KeyFile); err != nil {
		return err
	}
	for _, i := range cfg.Tokens.Issuers {
		if _, err := cfg.PollToken(i); err != nil {
			return err
		}
	}
	_, err := receiversOf(cfg)
	return err
}
