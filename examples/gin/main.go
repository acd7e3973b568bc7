// Command gin protects a Gin router.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"

	"github.com/gin-gonic/gin"

	"rescind/examples/service"
	"rescind/httpapi"
	"rescind/token"
)

func handler(s *service.Service) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(protect(token.Middleware(s.Verifier)))
	router.GET("/hello", hello)
	router.GET("/admin", protect(token.Middleware(s.Verifier, token.RequireScope("admin"))), hello)
	return router
}

// protect makes a gin handler of net/http middleware. Where the middleware does
// not call its next handler it has answered, and gin must stop.
func protect(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r // its context holds the token
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}

func hello(c *gin.Context) {
	claims, err := token.ClaimsFrom[service.Claims](c.Request.Context())
	if err != nil {
		token.WriteError(c.Writer, err, "shop")
		return
	}
	c.String(http.StatusOK, "hello %s\n", claims.Subject)
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
