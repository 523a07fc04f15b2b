import io.github.resilience4j.circuitbreaker.CallNotPermittedException;
import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.core.IntervalFunction;
import io.github.resilience4j.retry.Retry;
import io.github.resilience4j.retry.RetryConfig;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Calls a dependency that fails with resilience4j's policies, for mishap to tell them.
 *
 * <p>Client POLICY REQUESTS ATTEMPTS AT-ONCE URL…: for each URL it makes so many requests with so many attempts each, at
 * most AT-ONCE URLs at a time, and prints the URL. Before that it warms up on the URL in WARM: a virtual machine that has
 * just begun takes 100 ms for what takes 1 ms later.
 */
public final class Client {
  private static final int SPREAD = 10; // ms between the begins of two requests

  private static final Map<String, IntervalFunction> POLICIES =
      Map.of(
          "resilience4j-constant", IntervalFunction.of(100),
          "resilience4j-constant-jitter", IntervalFunction.ofRandomized(100, 0.5),
          "resilience4j-exponential", IntervalFunction.ofExponentialBackoff(100, 2.0),
          "resilience4j-exponential-jitter", IntervalFunction.ofExponentialRandomBackoff(100, 2.0, 0.5));

  private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final ExecutorService threads = Executors.newCachedThreadPool(r -> {
    Thread t = new Thread(r);
    t.setDaemon(true);
    return t;
  });
  private final SplittableRandom random = new SplittableRandom();

  private synchronized String hex(int digits) {
    StringBuilder text = new StringBuilder();
    while (text.length() < digits) {
      text.append(Integer.toHexString(random.nextInt(16)));
    }
    return text.toString();
  }

  /** One attempt; each has a span of its own. */
  private int ask(String url, String trace) {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(url + "/pay")).timeout(Duration.ofSeconds(10))
            .header("traceparent", "00-" + trace + "-" + hex(16) + "-01").build();
    try {
      return http.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private void request(IntervalFunction pause, String url, int attempts) {
    RetryConfig config =
        RetryConfig.<Integer>custom().maxAttempts(attempts).intervalFunction(pause).retryOnResult(s -> s >= 500).build();
    String trace = hex(32);
    Retry.of("pay", config).executeSupplier(() -> ask(url, trace));
  }

  /** 100 calls a second for six seconds, through a breaker that opens after 50 failures and tries twice every second. */
  private void guarded(String url) throws Exception {
    CircuitBreaker breaker =
        CircuitBreaker.of("pay", CircuitBreakerConfig.custom().slidingWindowSize(50).minimumNumberOfCalls(50)
            .failureRateThreshold(50).waitDurationInOpenState(Duration.ofSeconds(1))
            .permittedNumberOfCallsInHalfOpenState(2).build());
    for (int i = 0; i < 600; i++) {
      threads.submit(() -> {
        try {
          breaker.executeSupplier(() -> {
            if (ask(url, hex(32)) >= 500) {
              throw new IllegalStateException("failed");
            }
            return null;
          });
        } catch (CallNotPermittedException e) {
          // what a fallback is for
        } catch (RuntimeException e) {
          // counted by the breaker
        }
      });
      Thread.sleep(10);
    }
  }

  private void run(String policy, String url, int requests, int attempts) throws Exception {
    if (policy.equals("resilience4j-circuit")) {
      guarded(url);
    } else {
      requests(policy, url, requests, attempts);
    }
    System.out.println(url);
  }

  private void requests(String policy, String url, int requests, int attempts) throws Exception {
    CountDownLatch left = new CountDownLatch(requests);
    for (int i = 0; i < requests; i++) {
      threads.submit(() -> {
        try {
          request(POLICIES.get(policy), url, attempts);
        } finally {
          left.countDown();
        }
      });
      Thread.sleep(SPREAD);
    }
    left.await();
  }

  public static void main(String[] args) throws Exception {
    Client client = new Client();
    if (System.getenv("WARM") != null) {
      for (int i = 0; i < 20; i++) {
        client.requests("resilience4j-constant", System.getenv("WARM"), 44, 5);
      }
    }
    ExecutorService runs = Executors.newFixedThreadPool(Integer.parseInt(args[3]));
    List<Future<?>> all = new ArrayList<>();
    for (int i = 4; i < args.length; i++) {
      String url = args[i];
      all.add(runs.submit(() -> {
        client.run(args[0], url, Integer.parseInt(args[1]), Integer.parseInt(args[2]));
        return null;
      }));
    }
    for (Future<?> one : all) {
      one.get();
    }
    System.exit(0);
  }
}
