// Command echo protects an Echo router.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"

	"github.com/labstack/echo/v4"

	"rescind/examples/service"
	"rescind/httpapi"
	"rescind/token"
)

func handler(s *service.Service) http.Handler {
	router := echo.New()
	router.Use(echo.WrapMiddleware(token.Middleware(s.Verifier)))
	router.GET("/hello", hello)
	router.GET("/admin", hello, echo.WrapMiddleware(token.Middleware(s.Verifier, token.RequireScope("admin"))))
	return router
}

func hello(c echo.Context) error {
	claims, err := token.ClaimsFrom[service.Claims](c.Request().Context())
	if err != nil {
		return err
	}
	return c.String(http.StatusOK, "hello "+claims.Subject+"\n")
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := service.Open(ctx, "data")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	pair, err := s.Issuer.Login(ctx, "ada", token.LoginOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("curl http://127.0.0.1:8000/hello -H 'Authorization: Bearer %s'\n", pair.AccessToken)
	server := httpapi.NewServer("127.0.0.1:8000", handler(s), nil)
	context.AfterFunc(ctx, func() { server.Shutdown(context.Background()) })
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
