// What the machine can do: prints GFLOP/s of fused multiply-add and GB/s of copying (read + written).
//     peak THREADS SECONDS
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
#elif defined(__AVX__)
constexpr int lanes = 8;
#else
constexpr int lanes = 4;
#endif
typedef float Vec __attribute__((vector_size(lanes * sizeof(float))));
constexpr int accumulators = 12;    // independent: they hide the latency of an FMA and leave registers free
constexpr int rounds = 10'000'000;  // some 10 ms: long enough for the system to spread the threads
constexpr std::size_t copied = std::size_t{128} << 20;  // bytes for all threads, beyond the caches

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Numbers that the compiler does not know: a sum whose values it can foresee is left out of the loop.
volatile float scale = 0.999f, addend = 1e-3f;

float multiply_add() {
  Vec sum[accumulators], factor = Vec{} + scale, term = Vec{} + addend;
  for (int i = 0; i < accumulators; ++i) sum[i] = Vec{} + addend * static_cast<float>(i);
  for (int round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < accumulators; ++i) sum[i] = sum[i] * factor + term;
  }
  Vec total{};
  for (Vec s : sum) total += s;
  return total[0];
}

// Seconds from the moment when all threads stand ready until the last has done its share.
double together(int threads, const std::function<void(int)>& work) {
  std::atomic<int> ready{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> team;
  for (int t = 1; t < threads; ++t) {
    team.emplace_back([&, t] {
      ++ready;
      while (!go) std::this_thread::yield();
      work(t);
    });
  }
  while (ready < threads - 1) std::this_thread::yield();
  const double start = now();
  go = true;
  work(0);
  for (std::thread& t : team) t.join();
  return now() - start;
}

// The middle one of the measurements that fit into so many seconds: what the machine keeps up.
template <class Measure>
double median(double seconds, Measure measure) {
  std::vector<double> found;
  for (const double end = now() + seconds; found.empty() || now() < end;) found.push_back(measure());
  std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(found.size() / 2), found.end());
  return found[found.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int threads = std::atoi(argv[1]);
  const double seconds = std::atof(argv[2]);
  std::vector<float> kept(static_cast<std::size_t>(threads));  // so that nothing is optimised away

  const double flops = 2.0 * lanes * accumulators * rounds * threads;
  const double fma = median(seconds, [&] {
    return flops / together(threads, [&](int t) { kept[static_cast<std::size_t>(t)] = multiply_add(); });
  });

  std::vector<char> from(copied, 1), to(copied, 2);
  const std::size_t share = copied / static_cast<std::size_t>(threads);
  const double copy = median(seconds, [&] {
    const double spent = together(threads, [&](int t) {
      const std::size_t start = static_cast<std::size_t>(t) * share;
      std::memcpy(to.data() + start, from.data() + start, share);
    });
    return 2.0 * static_cast<double>(share) * threads / spent;
  });
  std::printf("%.6g %.6g\n", fma / 1e9, copy / 1e9);
  return kept[0] == 0.0f || to[0] == 0;
}
