import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.stream.*;

/** Classes, exceptions that the hardware raises, threads, collections, a deep recursion. */
public class Shapes {
    interface Shape { double area(); }
    record Circle(double r) implements Shape { public double area() { return Math.PI * r * r; } }
    record Square(double a) implements Shape { public double area() { return a * a; } }

    static int depth(int n) { return depth(n + 1) + 1; }

    static String attempt(Runnable r) {
        try { r.run(); return "nothing"; } catch (Throwable t) { return t.getClass().getSimpleName(); }
    }

    public static void main(String[] args) throws Exception {
        List<Shape> shapes = IntStream.range(0, 100000)
            .mapToObj(i -> i % 2 == 0 ? new Circle(i) : (Shape) new Square(i)).collect(Collectors.toList());
        System.out.printf("%.3f%n", shapes.stream().mapToDouble(Shape::area).sum());
        int[] none = null;
        int zero = args.length;
        System.out.println(attempt(() -> none[0] = 1) + " " + attempt(() -> System.out.println(1 / zero))
            + " " + attempt(() -> depth(0)) + " " + attempt(() -> { int[] a = new int[2]; a[zero + 5] = 1; }));
        AtomicLong sum = new AtomicLong();
        ExecutorService pool = Executors.newFixedThreadPool(8);
        for (int k = 0; k < 200; k++) {
            int n = k;
            pool.submit(() -> { for (int i = 0; i < 1000; i++) sum.addAndGet(i ^ n); });
        }
        pool.shutdown();
        System.out.println(pool.awaitTermination(60, TimeUnit.SECONDS) + " " + sum.get());
        Map<String, Integer> words = new TreeMap<>();
        for (int i = 0; i < 50000; i++) words.merge("w" + i % 97, 1, Integer::sum);
        System.out.println(words.size() + " " + words.get("w13"));
        Object lock = new Object();
        int[] turns = {0};
        Thread[] threads = new Thread[4];
        for (int k = 0; k < 4; k++) {
            int me = k;
            threads[k] = new Thread(() -> {
                synchronized (lock) {
                    for (int i = 0; i < 500; i++) {
                        while (turns[0] % 4 != me)
                            try { lock.wait(); } catch (InterruptedException e) { return; }
                        turns[0]++;
                        lock.notifyAll();
                    }
                }
            });
            threads[k].start();
        }
        for (Thread t : threads) t.join();
        System.out.println(turns[0] + " " + System.getProperty("os.arch"));
        byte[][] garbage = new byte[64][];
        for (int i = 0; i < 20000; i++) garbage[i % 64] = new byte[10000];
        System.gc();
        System.out.println(garbage[63].length);
        System.exit(12);
    }
}
