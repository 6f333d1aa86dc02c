"""What the command line does. Of all this lessons use `fer_kit.quiz` alone.

cli      the commands and their arguments
run      the notebooks in order; page: what is written of them; times: how long they take
labs     notebooks without solutions; submissions: what a folder of them is worth
marking  labs as an nbgrader course; marker: how it runs checks
quiz     five questions after a lesson, which lie in quizzes/
watch    faces and emotions in pictures, a video or the camera
"""
