// Package compose holds the test of docker-compose.yml. Where there is no Docker, it still proves that every service's command and flags
// are taken by the tapecast of this tree, that every path exists, and that the proxy, the image and the tests speak of the same things.
package compose
